"""Signing in and out."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from .. import sign_in
from ..guards import signed_in, user_of
from .forms import PasswordForm, SignInForm
from .page import FormPage
[%- if module.oidc %]
from .providers import that_prove, to_choose_from
[%- endif %]
from .redirects import SeeOther, see_after, target, way_back


class WayIn(FormPage):
    """Leads on to where somebody was on their way to."""

    tells = True

    def hidden(self) -> dict[str, str]:
        way = way_back(self.request)
        return {"next": way} if way else {}

    def after(self) -> str:
        return target(self.request)


class SignIn(WayIn):
    template_name = "accounts/sign_in.html"
    title = "Sign in"
    form_class = SignInForm

    def get(self, request: HttpRequest) -> HttpResponse:
        # Who was sent here signed in may not do what they were on their way to: leading them back
        # would send them here again.
        if request.user.is_authenticated and not way_back(request):
            return SeeOther(target(request))
        return super().get(request)
[%- if module.oidc %]

    def about(self) -> dict[str, Any]:
        return {"providers": to_choose_from()}
[%- endif %]

    def act(self, request: HttpRequest) -> HttpResponse:
        return sign_in.login(request)


@method_decorator(signed_in, name="dispatch")
class Reauth(WayIn):
    template_name = "accounts/reauth.html"
    title = "[% if module.oidc %]Prove that it is you[% else %]Enter your password again[% endif %]"
    place = ""
    form_class = PasswordForm

    def about(self) -> dict[str, Any]:
[%- if module.oidc %]
        user = user_of(self.request)
        return {
            "owner": user.email,
            "has_password": user.has_usable_password(),
            "providers": that_prove(user),
        }
[%- else %]
        return {"owner": user_of(self.request).email}
[%- endif %]

    def act(self, request: HttpRequest) -> HttpResponse:
        return sign_in.reauth(request)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    return see_after(sign_in.logout(request), "/auth/login?done=signed-out")
