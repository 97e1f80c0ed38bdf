"""The draft of a paper: text, checklists, tables and figures as a journal takes them."""
