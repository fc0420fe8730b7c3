import Link from "next/link";

import { requireUser } from "../../auth";
import { Frame } from "../../auth/pages/frame";
import look from "../../auth/pages/look.module.css";
import { type Asked, said, titled } from "../../auth/pages/said";

const TITLE = "Account";

export const generateMetadata = titled(TITLE);

export default async function Account(asked: Asked) {
  const user = await requireUser();
  const { notice } = await said(asked);
  const rows = [
    ["E-mail address", user.email, "/account/email", "Change e-mail address"],
    ["Password", "Used to sign in", "/account/password", "Change password"],
    ["Devices", "Where you are signed in", "/account/sessions", "See devices"],
    [
      "Your data",
      "What is kept about this account",
      "/account/data",
      "Download or delete",
    ],
  ] as const;
  return (
    <Frame title={TITLE} place="/account" notice={notice}>
      <dl className={look["rows"]}>
        {rows.map(([name, what, path, action]) => (
          <div key={path}>
            <dt>{name}</dt>
            <dd className={look["what"]}>{what}</dd>
            <dd>
              <Link href={path}>{action}</Link>
            </dd>
          </div>
        ))}
      </dl>
    </Frame>
  );
}
