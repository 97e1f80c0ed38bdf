"""What is learned of columns and rows before a model: filters, scaling, oversampling."""
