"""The API: one blueprint a noun. Each view reads the request, lets the desk do it, and answers a record."""
