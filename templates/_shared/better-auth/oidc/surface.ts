/** Which routes sign-in at providers brings: method, then path. */

// Names of providers are those of `presets.ts`.
export const SURFACE = [
  ["GET", /^\/auth\/(?:providers|identities)$/],
  ["GET", /^\/auth\/oidc\/[a-z0-9]{1,32}\/callback$/],
  ["POST", /^\/auth\/oidc\/[a-z0-9]{1,32}\/(?:start|link|reauth)$/],
  ["DELETE", /^\/auth\/oidc\/[a-z0-9]{1,32}\/link$/],
] as const;
