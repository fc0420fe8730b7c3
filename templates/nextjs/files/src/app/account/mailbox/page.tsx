import type { Metadata } from "next";
import Link from "next/link";

import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";

const TITLE = "Look into your mailbox";

export const metadata: Metadata = { title: TITLE };

export default function Mailbox() {
  return (
    <Frame title={TITLE}>
      <p>
        If the address can be used here, a mail is on its way to it. Open the
        link in that mail, best in this browser.
      </p>
      <p>Nothing after a few minutes? Look into the spam folder, then:</p>
      <ul className={look["links"]}>
        <li>
          <Link href="/account/resend">Send the confirmation again</Link>
        </li>
        <li>
          <Link href="/account/forgot-password">Ask for a new password</Link>
        </li>
      </ul>
      <p className={look["links"]}>
        <Link href="/account/sign-in">Go to the sign-in page</Link>
      </p>
    </Frame>
  );
}
