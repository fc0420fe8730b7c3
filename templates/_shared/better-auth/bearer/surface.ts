/** Which routes tokens bring: method, then path. */

export const SURFACE = [
  ["POST", /^\/auth\/token(?:\/refresh|\/revoke)?$/],
  ["GET", /^\/auth\/(?:token\/me|devices|jwks\.json)$/],
  ["DELETE", /^\/auth\/devices\/[A-Za-z0-9]{1,64}$/],
] as const;
