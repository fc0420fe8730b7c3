/** What is known of each provider. DEPLOYMENT.md says where its client is made. */

import { type Preset, preset } from "./preset[= js =]";
[%- if 'keycloak' in providers or 'generic' in providers %]

const WIDE = ["RS256", "ES256", "PS256", "EdDSA", "Ed25519"];
[%- endif %]

/** In the order in which people are asked. */
export const PRESETS: readonly Preset[] = [
[%- if 'google' in providers %]
  preset({
    id: "google",
    name: "Google",
    issuer: "https://accounts.google.com",
    prompt: "select_account",
    // Asks for no password when told to, and does not say when it did.
    reauth: false,
  }),
[%- endif %]
[%- if 'microsoft' in providers %]
  preset({
    id: "microsoft",
    name: "Microsoft",
    prompt: "select_account",
    // It never says `email_verified`: an address there can be anything an administrator typed.
    verifiedClaim: "xms_edov",
    // The claim is a boolean, and was a number and a text.
    verified: [true, 1, "1", "true"],
    // Each tenant has an issuer of its own, so that one cannot speak for another.
    sharedIssuers: ["/common/", "/organizations/", "/consumers/", "{tenantid}"],
  }),
[%- endif %]
[%- if 'github' in providers %]
  preset({
    id: "github",
    name: "GitHub",
    issuer: "https://github.com/login/oauth",
    scopes: ["user:email"],
    secretInBody: true,
    prompt: "select_account",
    reauth: false,
    endpoints: {
      authorize: "https://github.com/login/oauth/authorize",
      token: "https://github.com/login/oauth/access_token",
      user: "https://api.github.com/user",
      emails: "https://api.github.com/user/emails",
    },
  }),
[%- endif %]
[%- if 'gitlab' in providers %]
  preset({ id: "gitlab", name: "GitLab", issuer: "https://gitlab.com" }),
[%- endif %]
[%- if 'apple' in providers %]
  preset({
    id: "apple",
    name: "Apple",
    issuer: "https://appleid.apple.com",
    secretInBody: true,
    reauth: false,
    // It tells an address in no other way.
    formPost: true,
    // It says so as a text.
    verified: [true, "true"],
  }),
[%- endif %]
[%- if 'okta' in providers %]
  preset({ id: "okta", name: "Okta" }),
[%- endif %]
[%- if 'auth0' in providers %]
  preset({ id: "auth0", name: "Auth0" }),
[%- endif %]
[%- if 'keycloak' in providers %]
  preset({ id: "keycloak", name: "Keycloak", algorithms: WIDE }),
[%- endif %]
[%- if 'workos' in providers %]
  preset({ id: "workos", name: "WorkOS", reauth: false }),
[%- endif %]
[%- if 'generic' in providers %]
  preset({ id: "generic", name: "Single sign-on", algorithms: WIDE }),
[%- endif %]
];
