/** What can be said of a provider. */

[% if 'github' in providers -%]
/** Where a provider is asked that has OAuth 2 and no OpenID Connect. */
export interface Endpoints {
  readonly authorize: string;
  readonly token: string;
  /** Answers with an object that has a number `id`. */
  readonly user: string;
  /** Answers with a list of `email`, `primary` and `verified`. */
  readonly emails: string;
}

[% endif -%]
/** A provider, as data: nothing else in this folder knows one by name. */
export interface Preset {
  /** What paths call it. */
  readonly id: string;
  /** What people call it. */
  readonly name: string;
  /** Where it has only one. */
  readonly issuer?: string;
  /** Of ID tokens. HMAC is none of them: the client's secret is no key. */
  readonly algorithms: readonly string[];
  readonly scopes: readonly string[];
  /** Sends the client's secret in the body, not as HTTP Basic authentication. */
  readonly secretInBody: boolean;
  /** What `prompt` a sign-in asks for. With it, who signed out can choose another account. */
  readonly prompt?: string;
  /** Whether it signs somebody in anew on request, and says when that was. */
  readonly reauth: boolean;
  /** Whether it posts its answer (`response_mode=form_post`). */
  readonly formPost: boolean;
  /** The claim that says whether an address is theirs. */
  readonly verifiedClaim: "email_verified" | "xms_edov";
  /** What that claim says if so. */
  readonly verified: readonly unknown[];
  /** Parts of issuers that stand for more than one organisation. */
  readonly sharedIssuers: readonly string[];
[%- if 'github' in providers %]
  readonly endpoints?: Endpoints;
[%- endif %]
}

/** What is not said of a provider is as OpenID Connect has it. */
export function preset(
  known: Pick<Preset, "id" | "name"> & Partial<Preset>,
): Preset {
  return {
    algorithms: ["RS256", "ES256"],
    scopes: ["openid", "email"],
    secretInBody: false,
    reauth: true,
    formPost: false,
    verifiedClaim: "email_verified",
    verified: [true],
    sharedIssuers: [],
    ...known,
  };
}
