"""Labels of cells by the votes of labelled ones, and sets of labels with a stated coverage."""
