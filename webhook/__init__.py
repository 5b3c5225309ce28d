"""The approval service: who asked, who approved, and what was launched. It decides nothing and talks to no site."""
