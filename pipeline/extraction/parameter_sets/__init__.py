"""What belongs to radiomics_params/: the sensitivity set, the margin of filters, the IBSI map."""
