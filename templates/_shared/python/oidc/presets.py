"""What is known of each provider. DEPLOYMENT.md says where its client is made."""

from dataclasses import dataclass
[%- if 'github' in providers %]

from .endpoints import Endpoints
[%- endif %]

USUAL = ("RS256", "ES256")
[%- if 'keycloak' in providers or 'generic' in providers %]
WIDE = (*USUAL, "PS256", "EdDSA", "Ed25519")
[%- endif %]


@dataclass(frozen=True)
class Preset:
    """A provider, as data: nothing else in this folder knows one by name. What is not said is as
    OpenID Connect has it."""

    # What paths call it.
    id: str
    # What people call it.
    name: str
    # Where it has only one.
    issuer: str | None = None
    algorithms: tuple[str, ...] = USUAL
    scopes: tuple[str, ...] = ("openid", "email")
    # Sends the client's secret in the body, not as HTTP Basic authentication.
    secret_in_body: bool = False
    # What `prompt` a sign-in asks for. With it, who signed out can choose another account.
    prompt: str | None = None
    # Whether it signs somebody in anew on request, and says when that was.
    reauth: bool = True
    # Whether it posts its answer (`response_mode=form_post`).
    form_post: bool = False
    # The claim that says whether an address is theirs.
    verified_claim: str = "email_verified"
    # What that claim says if so.
    verified: tuple[object, ...] = (True,)
    # Parts of issuers that stand for more than one organisation.
    shared_issuers: tuple[str, ...] = ()
[%- if 'github' in providers %]
    # Of one without OpenID Connect: who somebody is, its API says.
    endpoints: Endpoints | None = None
[%- endif %]

    def variable(self, what: str) -> str:
        """The name of one of its settings."""
        return f"AUTH_OIDC_{self.id.upper()}_{what}"


# In the order in which people are asked.
PRESETS: list[Preset] = [
[%- if 'google' in providers %]
    Preset(
        id="google",
        name="Google",
        issuer="https://accounts.google.com",
        prompt="select_account",
        # Asks for no password when told to, and does not say when it did.
        reauth=False,
    ),
[%- endif %]
[%- if 'microsoft' in providers %]
    Preset(
        id="microsoft",
        name="Microsoft",
        prompt="select_account",
        # It never says `email_verified`: an address there can be anything an administrator typed.
        verified_claim="xms_edov",
        # The claim is a boolean, and was a number and a text.
        verified=(True, 1, "1", "true"),
        # Each tenant has an issuer of its own, so that one cannot speak for another.
        shared_issuers=("/common/", "/organizations/", "/consumers/", "{tenantid}"),
    ),
[%- endif %]
[%- if 'github' in providers %]
    Preset(
        id="github",
        name="GitHub",
        issuer="https://github.com/login/oauth",
        scopes=("user:email",),
        secret_in_body=True,
        prompt="select_account",
        reauth=False,
        endpoints=Endpoints(
            authorize="https://github.com/login/oauth/authorize",
            token="https://github.com/login/oauth/access_token",
            user="https://api.github.com/user",
            emails="https://api.github.com/user/emails",
        ),
    ),
[%- endif %]
[%- if 'gitlab' in providers %]
    Preset(id="gitlab", name="GitLab", issuer="https://gitlab.com"),
[%- endif %]
[%- if 'apple' in providers %]
    Preset(
        id="apple",
        name="Apple",
        issuer="https://appleid.apple.com",
        secret_in_body=True,
        reauth=False,
        # It tells an address in no other way.
        form_post=True,
        # It says so as a text.
        verified=(True, "true"),
    ),
[%- endif %]
[%- if 'okta' in providers %]
    Preset(id="okta", name="Okta"),
[%- endif %]
[%- if 'auth0' in providers %]
    Preset(id="auth0", name="Auth0"),
[%- endif %]
[%- if 'keycloak' in providers %]
    Preset(id="keycloak", name="Keycloak", algorithms=WIDE),
[%- endif %]
[%- if 'workos' in providers %]
    Preset(id="workos", name="WorkOS", reauth=False),
[%- endif %]
[%- if 'generic' in providers %]
    Preset(id="generic", name="Single sign-on", algorithms=WIDE),
[%- endif %]
]
