/** How a handler of your own is guarded. Change or delete this file. */

import { withUser } from "../../../auth";

// For whoever is signed in.
export const GET = withUser((user) => Response.json({ userId: user.id }));
