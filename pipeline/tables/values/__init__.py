"""What the cells of a table mean: words, numbers, formulas, values that hardly can be."""
