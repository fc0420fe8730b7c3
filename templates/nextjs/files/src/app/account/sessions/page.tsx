import { requireUser, show } from "../../../auth";
import { Frame, Refused } from "../../../auth/pages/frame";
import look from "../../../auth/pages/look.module.css";
import { type Asked, said, titled } from "../../../auth/pages/said";
import type { Session } from "../../../auth/sessions";

const TITLE = "Devices";

export const generateMetadata = titled(TITLE);

export default async function Sessions(asked: Asked) {
  await requireUser();
  const { fault, notice } = await said(asked);
  const shown = await show((api, visitor) => api.sessions(visitor));
  if ("code" in shown) return <Refused code={shown.code} />;
  const { sessions } = shown.found;
  return (
    <Frame
      title={TITLE}
      place="/account/sessions"
      notice={notice}
      fault={fault}
    >
      <p>
        You are signed in on these devices. If you do not know one of them, sign
        it out and change your password.
      </p>
      <ul className={look["rows"]}>
        {sessions.map((session) => (
          <li key={session.id}>
            <Device session={session} />
          </li>
        ))}
      </ul>
      {sessions.length > 1 && (
        <form
          className={look["after"]}
          method="post"
          action="/auth/sessions/revoke-others"
        >
          <button className={look["quiet"]}>Sign out every other device</button>
        </form>
      )}
    </Frame>
  );
}

function Device({ session }: { session: Session }) {
  const { createdAt, current, device, id, ip, lastSeenAt } = session;
  return (
    <>
      <div className={look["what"]}>
        <p>
          <strong>{device}</strong>{" "}
          {current && <span className={look["tag"]}>this device</span>}
        </p>
        <p className={look["soft"]}>
          Signed in <Moment at={createdAt} />
          <br />
          Last seen <Moment at={lastSeenAt} />, from {ip}
        </p>
      </div>
      {!current && (
        <form method="post" action={`/auth/sessions/${id}/revoke`}>
          <button className={look["quiet"]}>
            Sign out
            <span className={look["unseen"]}>
              {" "}
              {device}, signed in <Moment at={createdAt} />
            </span>
          </button>
        </form>
      )}
    </>
  );
}

const MOMENTS = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "long",
  timeStyle: "short",
  timeZone: "UTC",
});

/** Without scripts nobody knows the reader's time zone. */
function Moment({ at }: { at: number }) {
  const date = new Date(at * 1000);
  return <time dateTime={date.toISOString()}>{MOMENTS.format(date)} UTC</time>;
}
