"""A mask on the CT: placed, measured, checked, compared, proposed."""
