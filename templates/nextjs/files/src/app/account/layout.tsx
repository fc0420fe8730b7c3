/** The pages of the accounts: they stand within the application's own layout, and have a look of their own. */

import { headers } from "next/headers";
import { notFound } from "next/navigation";
import type { ReactNode } from "react";

import look from "../../auth/pages/look.module.css";

export default async function AccountLayout({
  children,
}: {
  children: ReactNode;
}) {
  // A request that was led here from another path did not get the headers of these pages.
  if (!(await headers()).has("content-security-policy")) notFound();
  return (
    <div className={look["page"]}>
      {/* The header says `no-referrer`; with that alone, browsers would not say where a form comes from
          either (`Origin: null`). This lets them name the origin, and no path. */}
      <meta name="referrer" content="strict-origin" />
      {children}
    </div>
  );
}
