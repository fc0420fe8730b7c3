import { withUser } from "../../../../auth";

export const revalidate = 60;

export const GET = withUser((user) => Response.json({ for: user.email }));
