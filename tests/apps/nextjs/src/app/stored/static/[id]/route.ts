import { withUser } from "../../../../auth";

export const dynamic = "force-static";

export const GET = withUser((user) => Response.json({ for: user.email }));
