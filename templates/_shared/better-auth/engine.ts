/** Better Auth, configured for this module: its tables, its cookies and its routing, our endpoints. */

import type { DatabaseSync } from "node:sqlite";

import { type BetterAuthOptions, betterAuth } from "better-auth";
import { createAuthEndpoint } from "better-auth/api";

import { accountEndpoints } from "./accounts[= js =]";
import { fault, log } from "./audit[= js =]";
import * as audit from "./audit[= js =]";
[% if module.tokens -%]
import { deviceEndpoints } from "./bearer/devices[= js =]";
import { apiUser, freshApiUser, scopedApiUser } from "./bearer/guard[= js =]";
import { tokenEndpoints } from "./bearer/tokens[= js =]";
[% endif -%]
import { type AdapterFactory, adapter } from "./db[= js =]";
import { emailChangeEndpoints } from "./emailChange[= js =]";
[%- if module.oidc %]
import { callbackEndpoints } from "./oidc/callback[= js =]";
import { identityEndpoints } from "./oidc/identities[= js =]";
import { startEndpoints } from "./oidc/start[= js =]";
[%- endif %]
import type { Parts } from "./parts[= js =]";
import { passwordEndpoints } from "./password[= js =]";
import { personalEndpoints } from "./personal[= js =]";
import { sessionEndpoints } from "./sessions[= js =]";
import { signInEndpoints } from "./signIn[= js =]";
import { fresh, maybe } from "./user[= js =]";
import { cookieKeys, cookieNames } from "./visit[= js =]";

const NOT_INPUT = { input: false, returned: true } as const;

/** The module's tables beside those of the library. */
const SCHEMA = {
  authToken: {
    modelName: "auth_token",
    fields: {
      tokenHash: { type: "string", unique: true },
      purpose: { type: "string" },
      userId: {
        type: "string",
        references: { model: "user", field: "id", onDelete: "cascade" },
      },
      email: { type: "string" },
      newEmail: { type: "string", required: false },
      browserHash: { type: "string", required: false },
      createdAt: { type: "date" },
      expiresAt: { type: "date" },
      usedAt: { type: "date", required: false },
    },
  },
[%- if module.oidc %]
  authIdentity: {
    modelName: "auth_identity",
    fields: {
      userId: {
        type: "string",
        references: { model: "user", field: "id", onDelete: "cascade" },
      },
      provider: { type: "string" },
      issuer: { type: "string" },
      subject: { type: "string" },
      email: { type: "string", required: false },
      linkedAt: { type: "date" },
    },
  },
  authTransaction: {
    modelName: "auth_transaction",
    fields: {
      stateHash: { type: "string", unique: true },
      browserHash: { type: "string" },
      provider: { type: "string" },
      issuer: { type: "string" },
      intent: { type: "string" },
      userId: { type: "string", required: false },
      session: { type: "string", required: false },
      nonce: { type: "string" },
      verifier: { type: "string" },
      next: { type: "string" },
      createdAt: { type: "date" },
      expiresAt: { type: "date" },
    },
  },
[%- endif %]
[%- if module.tokens %]
  authFamily: {
    modelName: "auth_token_family",
    fields: {
      userId: {
        type: "string",
        references: { model: "user", field: "id", onDelete: "cascade" },
      },
      session: { type: "string", required: false },
      device: { type: "string" },
      scope: { type: "string" },
      amr: { type: "string" },
      authenticatedAt: { type: "date" },
      epoch: { type: "number" },
      createdAt: { type: "date" },
      lastUsedAt: { type: "date" },
      expiresAt: { type: "date" },
      revokedAt: { type: "date", required: false },
    },
  },
  authRefreshToken: {
    modelName: "auth_refresh_token",
    fields: {
      tokenHash: { type: "string", unique: true },
      familyId: {
        type: "string",
        references: { model: "authFamily", field: "id", onDelete: "cascade" },
      },
      createdAt: { type: "date" },
      usedAt: { type: "date", required: false },
      expiresAt: { type: "date" },
    },
  },
[%- endif %]
  authThrottle: {
    modelName: "auth_throttle",
    fields: {
      key: { type: "string", unique: true },
      count: { type: "number" },
      windowStart: { type: "date" },
      blockedUntil: { type: "date", required: false },
      expiresAt: { type: "date" },
    },
  },
  authAudit: {
    modelName: "auth_audit",
    fields: {
      at: { type: "date" },
      event: { type: "string" },
      outcome: { type: "string" },
      reason: { type: "string" },
      userId: { type: "string", required: false },
      subject: { type: "string", required: false },
      ip: { type: "string" },
      userAgent: { type: "string" },
      requestId: { type: "string" },
    },
  },
} as const;

function plugin(parts: Parts) {
  const serverOnly = {
    method: "GET",
    metadata: { SERVER_ONLY: true },
  } as const;
  return {
    id: "auth",
    schema: SCHEMA,
    endpoints: {
      ...accountEndpoints(parts),
      ...signInEndpoints(parts),
      ...passwordEndpoints(parts),
      ...emailChangeEndpoints(parts),
      ...sessionEndpoints(parts),
      ...personalEndpoints(parts),
[%- if module.oidc %]
      ...startEndpoints(parts),
      ...callbackEndpoints(parts),
      ...identityEndpoints(parts),
[%- endif %]
[%- if module.tokens %]
      ...tokenEndpoints(parts),
      ...deviceEndpoints(parts),
[%- endif %]
      // For guards of the application's own routes.
      currentUser: createAuthEndpoint("/current-user", serverOnly, (ctx) =>
        maybe(ctx, parts),
      ),
      freshUser: createAuthEndpoint("/fresh-user", serverOnly, (ctx) =>
        fresh(ctx, parts),
      ),
[%- if module.tokens %]
      apiUser: createAuthEndpoint("/api-user", serverOnly, (ctx) =>
        apiUser(ctx, parts),
      ),
      scopedApiUser: createAuthEndpoint("/scoped-api-user", serverOnly, (ctx) =>
        scopedApiUser(ctx, parts, (ctx.query as { scope: string }).scope),
      ),
      freshApiUser: createAuthEndpoint("/fresh-api-user", serverOnly, (ctx) =>
        freshApiUser(ctx, parts),
      ),
[%- endif %]
      recordRefusal: createAuthEndpoint("/record-refusal", serverOnly, (ctx) =>
        audit.refusal(
          ctx,
          parts,
          "csrf_refused",
          (ctx.query as { reason: string }).reason,
        ),
      ),
    },
  };
}

/** The library's options. A test compares its tables with those that `db.ts` makes. */
export function options(parts: Parts, database: AdapterFactory) {
  const { settings } = parts;
  const { development, policy } = settings;
  const cookie = {
    httpOnly: true,
    path: "/",
    sameSite: "lax",
    secure: !development,
  } as const;
  return {
    appName: settings.appName,
    baseURL: settings.baseUrl,
    basePath: "/auth",
    secret: cookieKeys(settings)[0],
    trustedOrigins: [settings.baseUrl],
    database,
    // Its own sign-up and sign-in are not mounted: they know no limit by account, mail links that work
    // more than once, and answer with the token of the session.
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      requireEmailVerification: true,
    },
    user: {
      modelName: "auth_user",
      additionalFields: {
        epoch: { type: "number", ...NOT_INPUT },
        failedLogins: { type: "number", ...NOT_INPUT },
        passwordChangedAt: { type: "date", ...NOT_INPUT },
        disabledAt: { type: "date", required: false, ...NOT_INPUT },
      },
    },
    session: {
      modelName: "auth_session",
      expiresIn: policy.sessionAbsolute,
      disableSessionRefresh: true,
      cookieCache: { enabled: false },
      additionalFields: {
        epoch: { type: "number", ...NOT_INPUT },
[%- if module.oidc %]
        amr: { type: "string", ...NOT_INPUT },
[%- endif %]
        authenticatedAt: { type: "date", ...NOT_INPUT },
        lastSeenAt: { type: "date", ...NOT_INPUT },
      },
    },
    account: { modelName: "auth_account", accountLinking: { enabled: false } },
    verification: { modelName: "auth_verification", storeIdentifier: "hashed" },
    // The module counts in transactions, by source and by account.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    // The kind alone: a message may hold what was sent.
    logger: {
      level: "error",
      log: (level) => {
        if (level === "error")
          log("ERROR", { message: "better-auth reported an error" });
      },
    },
    onAPIError: {
      onError: (error) => {
        fault("a request failed", error);
      },
    },
    advanced: {
      // The prefix `__Host-` is stricter than the `__Secure-` that the library would put before names.
      useSecureCookies: false,
      cookies: {
        session_token: {
          name: cookieNames(settings).session,
          attributes: cookie,
        },
      },
      defaultCookieAttributes: cookie,
    },
    plugins: [plugin(parts)],
  } satisfies BetterAuthOptions;
}

export function engine(parts: Parts, database: DatabaseSync) {
  return betterAuth(options(parts, adapter(database)));
}

export type Engine = ReturnType<typeof engine>;
