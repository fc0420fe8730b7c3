/** What the module needs while the application runs. */

import type { Keys } from "./throttle";
import type { Outbox } from "./mail";
import type { Hasher } from "./passwords";
import type { Settings } from "./settings";

export interface Parts {
  readonly settings: Settings;
  readonly mail: Outbox;
  readonly hasher: Hasher;
  readonly keys: Keys;
}
