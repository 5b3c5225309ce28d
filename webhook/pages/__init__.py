"""The pages: one blueprint a noun, the same nouns as in the API. They show what the API answers, and decide nothing."""
