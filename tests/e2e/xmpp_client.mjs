// xmpp_client.mjs - @xmpp/client breaks off three times, and resumes (XEP-0198):
//	node xmpp_client.mjs SERVICE DOMAIN USER PASSWORD OTHER PASSWORD
// ANTIPHON_XMPP_CLIENT is the folder in which `npm install @xmpp/client' was run.
// Prints what came: "a0", "b0", ..., and at the end how often it resumed.
import { createRequire } from "node:module";

const require = createRequire(process.env.ANTIPHON_XMPP_CLIENT + "/");
const { client, xml } = await import(require.resolve("@xmpp/client"));
const [, , service, domain, ...names] = process.argv;

function make(username, password) {
	const c = client({ service, domain, username, password });
	c.inbox = [];
	c.wanted = () => {};
	c.on("error", (e) => console.log("error", e.message));
	c.on("stanza", (s) => {
		if (s.is("message") && s.getChild("body")) {
			c.inbox.push(s);
			c.wanted();
		}
	});
	return c;
}

async function next(c) {
	while (c.inbox.length === 0)
		await new Promise((resolve) => (c.wanted = resolve));
	return c.inbox.shift().getChildText("body");
}

function say(c, to, body) {
	return c.send(xml("message", { to: to.toString(), type: "chat" },
		xml("body", {}, body)));
}

const romeo = make(names[0], names[1]);
const juliet = make(names[2], names[3]);
let resumed = 0;

romeo.streamManagement.on("resumed", () => resumed++);
const here = await romeo.start();
const there = await juliet.start();
await romeo.send(xml("presence"));
await juliet.send(xml("presence"));
for (let i = 0; i < 3; i++) {
	await say(romeo, there, "a" + i);
	console.log(await next(juliet));
	const gone = new Promise((resolve) => romeo.once("disconnect", resolve));
	romeo.socket.end();
	await gone;
	await say(juliet, here, "b" + i);
	console.log(await next(romeo));
}
await say(romeo, there, "end");
console.log(await next(juliet));
console.log(resumed);
await romeo.stop();
await juliet.stop();
process.exit(0);
