"""The way back from a provider."""

[% if 'apple' in providers -%]
from urllib.parse import urlencode

[% endif -%]
from django.http import HttpRequest, HttpResponse

from .. import conf
from ..guards import session_of
[%- if 'apple' in providers %]
from ..inputs import collected
[%- endif %]
from ..models import User
[%- if 'apple' in providers %]
from ..problem import Problem
[%- endif %]
from ..visit import visit_of
from . import identities
from .answer import Answer, identified, [% if 'apple' in providers %]looked_at, [% endif %]parsed
from .calls import line
from .exchange import Person
from .failure import Refused
from .question import redirect_uri
from .settings import Provider
from .start import named
from .told import told
from .transaction import browser_hash, take
from .underway import Intent, Taken


def callback(request: HttpRequest, name: str) -> HttpResponse:
    """Signs in, links, or proves anew, as the transaction says. The answer leads away at once: the
    address with the code is left behind (ASVS 14.2.1, RFC 9700 4.2.4)."""
    return HttpResponse(status=303, headers={"Location": finish(request, name)})


def finish(request: HttpRequest, name: str) -> str:
    """Returns where to go then."""
    provider = named(name)
    query = request.META.get("QUERY_STRING", "").encode("utf-8", "replace")
    with told(visit_of(request)):
        return answered(request, provider, parsed(query))


def answered(request: HttpRequest, provider: Provider, answer: Answer) -> str:
    """The transaction is used up first, whatever the answer turns out to be."""
    if answer.state is None:
        raise Refused("state")
    taken = take(answer.state)
    if taken is None:
        raise Refused("state")
    reason = taken.mismatch(browser_hash(request), provider)
    if reason is not None:
        raise Refused(reason)
    if answer.is_ambiguous:
        raise Refused("ambiguous")
    back = redirect_uri(conf.current().base_url, provider)
    person = line.ask(lambda oidc: identified(oidc, provider, answer, taken, back))
    act(request, provider, person, taken)
    return taken.next


def act(request: HttpRequest, provider: Provider, person: Person, taken: Taken) -> None:
    """Linking and proving anew are for the session that began them and for nobody else."""
    if taken.intent is Intent.LOGIN:
        identities.sign_in(request, provider, person)
        return
    user = request.user
    if not isinstance(user, User) or not taken.is_of(
        user.pk, session_of(request).handle
    ):
        raise Refused("session")
    if taken.intent is Intent.LINK:
        identities.link(request, user, provider, person)
    else:
        identities.reauth(request, user, person, taken.created_at)
[%- if 'apple' in providers %]


def posted(request: HttpRequest, name: str) -> HttpResponse:
    """For a provider that posts its answer: browsers send no cookie along with that, so it becomes
    a reading request, which changes nothing of what is checked then."""
    provider = named(name)
    if not provider.preset.form_post:
        raise Problem("method_not_allowed", {"Allow": "GET"})
    query = urlencode(looked_at(collected(request)))
    there = f"/auth/oidc/{provider.preset.id}/callback?{query}"
    return HttpResponse(status=303, headers={"Location": there})
[%- endif %]
