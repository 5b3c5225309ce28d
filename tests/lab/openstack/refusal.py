"""What a service of the cloud refuses with; each has its own shape for it."""


class Refusal(Exception):
    """status and words of a refusal; type: Neutron's name of it."""

    def __init__(self, status, message, type="Refused"):
        super().__init__(message)
        self.status, self.message, self.type = status, message, type
