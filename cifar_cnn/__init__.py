"""One training run, from pixels to a served model."""

from cifar_cnn.home import provide_home

provide_home()  # before any library looks for one
