import { currentUser } from "../../../../auth";

export const dynamic = "force-static";

export default async function Stored() {
  const user = await currentUser();
  return <p>For {user?.email ?? "nobody"}</p>;
}
