/** The start of the module: before Next answers anything, from `instrumentation.ts`. */

import { log } from "./audit";
import { type Announced, watch } from "./incoming";
import { isRunning, keep } from "./running";
import { Auth } from "./server";
import { fromEnvironment } from "./settings";
import { isLoopback, SettingError } from "./variables";

/** Reads the settings and opens the database. What is missing ends the process. */
export function start(): void {
  if (isRunning()) return;
  try {
    const settings = fromEnvironment();
    keep(new Auth(settings));
    watch(settings.development ? stayLocal : undefined);
    if (settings.development) {
      const where = settings.baseUrl;
      console.log(
        `auth: DEVELOPMENT on ${where}: cookies without Secure, mail in .auth-dev/mail`,
      );
    }
    log("INFO", { message: "authentication started" });
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    console.error(`auth: ${error.message}`);
    process.exit(1);
  }
}

/** Ends a development server that other machines can reach, before it answers. */
function stayLocal({ server }: Announced): void {
  const place = server.address();
  if (place === null || typeof place === "string" || isLoopback(place.address))
    return;
  console.error(
    "auth: AUTH_ENV is development, which is for this machine only",
  );
  console.error(
    `  Listen on 127.0.0.1 instead of ${place.address}: next dev -H 127.0.0.1`,
  );
  process.exit(1);
}
