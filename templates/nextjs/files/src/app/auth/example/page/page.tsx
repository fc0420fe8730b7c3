/** How a page of your own is guarded. Change or delete this file. */

import type { Metadata } from "next";

import { requireUser } from "../../../../auth";

export const metadata: Metadata = { title: "An example" };

export default async function Example() {
  const user = await requireUser();
  return (
    <main>
      <h1>An example</h1>
      <p>Only signed-in users see this: {user.email}</p>
    </main>
  );
}
