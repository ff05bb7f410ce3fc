"""What is drawn of a sweep: its figures, interactive and for papers, and the report that holds them.

Others use `report.write_report`, `paper_figures.write_figures`, `figures.sweep_sections`, and for a table on
the screen `finalists_table`.
"""
