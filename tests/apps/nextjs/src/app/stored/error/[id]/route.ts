import { withUser } from "../../../../auth";

export const dynamic = "error";

export const GET = withUser((user) => Response.json({ for: user.email }));
