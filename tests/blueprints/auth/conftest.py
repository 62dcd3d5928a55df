"""What the tests of accounts share."""

import pytest

EMAIL = "ada@example.com"


@pytest.fixture
def ada(people):
    """Ada, who has a verified account, as a signed-in program."""
    return people.verified(EMAIL)


@pytest.fixture
def mails(outbox):
    """The mails that went to an address so far, oldest first: `mails("ada@example.com")`."""
    return lambda address=EMAIL: [mail for mail in outbox() if mail.recipient.lower() == address]
