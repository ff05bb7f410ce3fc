"""How one model is trained: the network, the optimizer, the images' augmentation, the schedule."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cifar_cnn.config.frozen import Frozen

MAX_DEPTH = 5
"""Every block halves the map: 32, 16, 8, 4, 2, 1. A sixth block would have nothing left to halve."""

RESNET_WIDTH = 64
"""Channels of the first stage of torchvision's networks of basic blocks."""

LEFT_OUT = frozenset({"init", "norm_momentum", "cutout", "weight_average"})
"""Fields of earlier versions that paid nothing (docs/network.md). A trained network does without them."""


class TrainConfig(Frozen):
    """Everything that decides how one model is trained. All but max_epochs and seed can be searched over.

    Raises:
        pydantic.ValidationError: a `ValueError` that names the field, the value and the rule; for an
            unknown name it lists the known ones.

    Example:
        >>> TrainConfig(width=64).difference(TrainConfig())
        'width: 64 -> 32'
        >>> TrainConfig(depth=9)
        Traceback (most recent call last):
        ...
        pydantic_core._pydantic_core.ValidationError: 1 validation error for TrainConfig
        ...
    """

    network: Literal["cnn", "resnet"] = Field(
        default="cnn",
        description="'cnn': `depth` blocks, the first one `width` wide, and a head. 'resnet': "
        "torchvision's basic blocks with a 3x3 stem, four stages of `depth` blocks each, 64 wide: depth 2 "
        "is ResNet-18. Whatever speaks of blocks, widening, whitening and the head is the 'cnn' alone.",
    )
    depth: int = Field(
        default=3,
        ge=1,
        le=MAX_DEPTH,
        description="Blocks. Each halves the feature map (32 pixels), so 5 is the most; 3 leaves a 4x4 "
        "map, the usual end of a CIFAR network.",
    )
    width: int = Field(
        default=32,
        ge=4,
        le=512,
        description="Channels of the first block. 32 trains in minutes on a CPU.",
    )
    widening: Literal["doubling", "early"] = Field(
        default="doubling",
        description="Channels of further blocks: 'doubling' from block to block, the textbook's; "
        "'early': four times those of the first one in all of them, which makes the second block dearer "
        "and the last ones cheaper.",
    )
    convolutions: int = Field(
        default=2,
        ge=2,
        le=3,
        description="Convolutions of a block. With 3 the last one is added to what it is given (a residual).",
    )
    whitening: bool = Field(
        default=False,
        description="Begin with 2x2 filters, computed from training images and not trained, that make "
        "neighbouring pixels independent; they leave 31 pixels, so depth then ends at 4.",
    )
    activation: Literal["relu", "gelu"] = Field(
        default="relu", description="'relu' is the cheaper one, 'gelu' is smooth."
    )
    head: Literal["hidden", "pooled"] = Field(
        default="hidden",
        description="'hidden': a fully connected layer of head_width features, dropout, and a linear one. "
        "'pooled': the largest value of each channel, dropout, and a linear layer whose logits are divided "
        "by 9.",
    )
    lr: float = Field(
        default=0.05,
        gt=0,
        le=100,
        description="Peak learning rate, per step. 0.05 suits the default SGD at batches of 128.",
    )
    adamw_lr: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="Peak learning rate of 'adamw', so that it can have a range of its own; about 0.002. "
        "None: lr.",
    )
    muon_lr: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="Peak learning rate of 'muon' for filters, which are held at a norm of the root of "
        "their number; all else has lr.",
    )
    bias_lr: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Learning rate of biases and of normalisation, as a multiple of that of all else. "
        "Short runs like 64, for these are few and learn slowly.",
    )
    decoupled: bool = Field(
        default=False,
        description="Of 'sgd': lr and weight_decay are those of 1,024 images, whatever momentum and "
        "batch_size are, and weight_decay does not go with lr. lr is then about 5 to 15, weight_decay "
        "0.001 to 0.1.",
    )
    max_epochs: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Epochs of the whole run; the learning-rate schedule is stretched over them.",
    )
    batch_size: int = Field(
        default=128,
        ge=4,
        le=65_536,
        description="Most images per step. 128 is large enough for the hardware and small enough for a "
        "short run to make many steps; below 4, batch normalisation has too little to average.",
    )
    optimizer: Literal["sgd", "adamw", "muon"] = Field(
        default="sgd",
        description="'sgd' (Nesterov momentum) generalises best on CIFAR; 'adamw' forgives a rough lr; "
        "'muon' makes the steps of filters orthogonal, and treats all else as 'sgd' does.",
    )
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="Nesterov momentum of 'sgd' and 'muon'; 0.9 is the common choice. No unit.",
    )
    beta2: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="Decay of the squared-gradient average of 'adamw' (its paper's value); beta1 is 0.9.",
    )
    weight_decay: float = Field(
        default=5e-4,
        ge=0,
        le=10,
        description="Decay of convolution and linear weights, never of biases or normalisation, nor of "
        "filters under 'muon': an L2 gradient term in 'sgd' (5e-4 is CIFAR's classic), decoupled in "
        "'adamw' (there 0.01 to 0.1).",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of head features dropped in training. 0: short runs underfit before they overfit.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the target spread over all classes in the training loss; val_loss has none.",
    )
    head_width: int = Field(
        default=128, ge=8, le=8192, description="Features of the hidden fully connected layer."
    )
    augmentation: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Strength: images are shifted by up to round(4 * strength) pixels and, for "
        "photographs, mirrored with probability strength / 2. 1 is the standard CIFAR recipe, 0 is none.",
    )
    flip: Literal["random", "alternating"] = Field(
        default="random",
        description="'alternating' mirrors each image in every second epoch, so that two epochs show both "
        "sides of all of them, however weak augmentation is; 'random' draws anew each time.",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine",
        description="Course of lr after the warm-up: a cosine or a straight line down to 0, or constant.",
    )
    warmup: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Share of all steps over which lr rises linearly from 0. A share, not a count, so that "
        "it means the same at every max_epochs and batch size; 0.1 keeps large lr from diverging.",
    )
    mirrored: bool = Field(
        default=False,
        description="Whether a trained model is shown each image and its mirror image, and gives the mean "
        "of its logits: twice the time, for photographs only. The served model does so too.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="Arithmetic of forward and backward. 'auto' is bf16 where the hardware is fast at it, "
        "on GPUs that are fast at fp16 alone that with scaled gradients, else fp32; weights stay fp32 "
        "always.",
    )
    captured: bool = Field(
        default=False,
        description="On a GPU, record a forward and a backward pass once and replay them (CUDA graphs), "
        "for small networks, whose kernels take less time than their launch. Batches are then of one "
        "size, and what is left of an epoch's images is left out. No GPU has run it yet.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of the weights, the order of batches, augmentation and dropout.",
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_was_left_out(cls, values: Any) -> Any:
        if isinstance(values, dict) and (gone := sorted(LEFT_OUT & values.keys())):
            raise ValueError(
                f"left out, for it paid nothing: {', '.join(gone)}. Take it out of the space; a sweep that "
                "has it is read here, and goes on with the version that began it"
            )
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.whitening and self.depth == MAX_DEPTH:
            raise ValueError(
                f"depth={self.depth} leaves no map behind whitening, which takes a pixel off; use a depth "
                f"of at most {MAX_DEPTH - 1}, or whitening=False"
            )
        if self.network == "resnet" and self.width != RESNET_WIDTH:
            raise ValueError(
                f"width={self.width}: a 'resnet' is {RESNET_WIDTH} wide; set width={RESNET_WIDTH}"
            )
        return self

    @property
    def lr_field(self) -> str:
        """Which field has the peak learning rate of this optimizer's filters."""
        if self.optimizer == "muon":
            return "muon_lr"
        return "adamw_lr" if self.optimizer == "adamw" and self.adamw_lr is not None else "lr"

    @property
    def peak_lr(self) -> float:
        """The learning rate of filters before its schedule, as it is given."""
        peak: float = getattr(self, self.lr_field)
        return peak

    def difference(self, other: Self) -> str:
        """The fields in which `other` differs, as `name: mine -> theirs`; empty if there are none."""
        mine, theirs = self.model_dump(), other.model_dump()
        return ", ".join(
            f"{name}: {mine[name]} -> {theirs[name]}" for name in mine if mine[name] != theirs[name]
        )
