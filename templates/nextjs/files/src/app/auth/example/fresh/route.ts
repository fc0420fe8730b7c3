/** How a handler is guarded that takes more than a session. Change or delete this file. */

import { withFreshUser } from "../../../../auth";

// For whoever entered the password a short while ago.
export const GET = withFreshUser((user) => Response.json({ userId: user.id }));
