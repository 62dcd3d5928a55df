"""Mail addresses: how one is written, and the key under which two spellings are the same."""

import unicodedata

SENTENCE = "Enter an email address like name@example.com."


def parse_address(value: str) -> str:
    """An address as it is stored: trimmed, NFC, valid, its domain in lower-case IDNA form.

    :raises ValueError: not an address that can receive mail; the text is for people.
    """
    from email_validator import EmailNotValidError, validate_email

    local, _, domain = value.strip().rpartition("@")
    # NFC would make a K of the Kelvin sign, and an address of somebody else; `=?` begins an encoded word in a header.
    if not local.isascii() or "=?" in local:
        raise ValueError(SENTENCE)
    value = f"{local}@{unicodedata.normalize('NFC', domain)}"
    try:
        # SMTPUTF8 is off: look-alike letters cannot enter through the local part.
        found = validate_email(value, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError(SENTENCE) from None
    address = f"{found.local_part}@{found.ascii_domain.lower()}"
    if len(address) > 254:
        raise ValueError("Use at most 254 characters.")
    return address


def address_key(address: str) -> str:
    """The canonical key of a stored address; two addresses with one key are one mailbox here.

    Only A to Z are folded: `str.lower()` would turn the Kelvin sign into a k.
    """
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in address)


def mask(address: str) -> str:
    """`a***@example.com`: enough for its owner to know it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
