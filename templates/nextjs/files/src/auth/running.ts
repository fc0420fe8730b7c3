/** What was started, for handlers and pages: Next bundles them apart, so it is not kept in a module. */

import type { Auth } from "./server";

const KEY = Symbol.for("auth.running");

const shared = globalThis as typeof globalThis & { [KEY]?: Auth };

export function isRunning(): boolean {
  return shared[KEY] !== undefined;
}

export function keep(auth: Auth): void {
  shared[KEY] = auth;
}

export function running(): Auth {
  const auth = shared[KEY];
  if (!auth) {
    throw new Error(
      "authentication was not started: `register` in instrumentation.ts calls `start` of auth/start",
    );
  }
  return auth;
}
