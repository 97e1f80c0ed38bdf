"""Tables and blocks that several sections and pages share."""
