import Link from "next/link";

import { Frame } from "../../auth/pages/frame";

export default function Nowhere() {
  return (
    <Frame title="There is no such page">
      <p>Check the address. If you followed a link, go back and try another.</p>
      <p>
        <Link href="/">Go to the start page</Link>
      </p>
    </Frame>
  );
}
