"""What is said in two languages: the catalogue, and sentences recognised again in text."""
