"""Sign-in at other providers: authorization code flow with PKCE, `state`, `nonce` and a cookie that
binds it to the browser; accounts found by issuer and subject.

`start` leads there with a `question`, `callback` takes the `answer`, `exchange` makes it somebody and
`identities` finds their account. What providers differ in is data in `presets`.
"""
