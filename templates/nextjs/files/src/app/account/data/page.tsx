import Link from "next/link";

import { requireFreshUser } from "../../../auth";
import { Frame } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { titled } from "../../../auth/pages/said";

const TITLE = "Your data";

export const generateMetadata = titled(TITLE);

export default async function Data() {
  await requireFreshUser();
  return (
    <Frame title={TITLE} place="/account/data">
      <h2>Download</h2>
      <p>
        What is kept about your account, its devices and its history, as a JSON
        file.
      </p>
      <p>
        <a
          className={`${look["button"] ?? ""} ${look["quiet"] ?? ""}`}
          href="/auth/export"
          download="account.json"
        >
          Download your data
        </a>
      </p>
      <h2>Delete</h2>
      <p>Your account can be deleted for good.</p>
      <p>
        <Link href="/account/delete">Delete your account</Link>
      </p>
    </Frame>
  );
}
