"""Who a header or a table means, and the linkage of persons to pseudonyms."""
