"""Why a sign-in at a provider came to nothing."""


class Refused(Exception):
    """What came back does not prove anything. The reason is a word for the audit trail."""

    code = "oidc_refused"


class Unavailable(Exception):
    """The provider does not answer, or not as one."""

    code = "provider_unavailable"

    def __init__(self) -> None:
        super().__init__("unavailable")
