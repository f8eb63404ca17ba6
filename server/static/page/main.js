/** The page: its parts, made and joined here. */
import { Asking } from "./asking.js";
import { Client } from "./client.js";
import { byId, say } from "./dom.js";
import { DuplicatesView } from "./duplicates.js";
import { FailuresView } from "./failures.js";
import { FiguresView } from "./figures.js";
import { JobsView } from "./jobs.js";
import { forgetKey, keyOf } from "./key.js";
import { PicturesView } from "./pictures.js";
import { Progress } from "./progress.js";
import { SaidBar } from "./said.js";
import { Tabs } from "./tabs.js";
import { setUpTheme } from "./theme.js";
import { count } from "./words.js";

setUpTheme();
const client = new Client();
const asking = new Asking(byId("ask"), client, (name, argument) => tabs.go(name, argument));
const pictures = new PicturesView(byId("view-pictures"), client);
pictures.root.firstElementChild.after(new SaidBar(client, pictures).element);
/** Show the records that a view of a census asks for. */
const look = (view) => {
  pictures.look(view);
  tabs.go("pictures");
};
const views = {
  pictures,
  failures: new FailuresView(byId("view-failures"), client, look),
  figures: new FiguresView(byId("view-figures"), client, look),
  duplicates: new DuplicatesView(byId("view-duplicates"), client, look),
  jobs: new JobsView(byId("view-jobs"), asking),
};
const tabs = new Tabs(views);
new Progress(client, () => asking.again());

const named = new URLSearchParams(location.search).get("job");
if (named) {
  const view = location.hash.slice(1);
  asking.showJob(named);
  if (Object.hasOwn(views, view)) tabs.go(view); // as it was before a reload
}

const badge = byId("badge-failures");
client.addEventListener("state", ({ detail }) => {
  badge.hidden = detail.failed === 0;
  say(badge, detail.failed > 9999 ? `${count(detail.failed / 1000)}k` : count(detail.failed));
});

const keyButton = byId("key-button");
const showKey = () => {
  keyButton.hidden = keyOf() === null;
  say(keyButton, "Forget key");
};
document.addEventListener("key", showKey);
keyButton.onclick = () => forgetKey();
showKey();

// Whoever comes back to the page, or gets a connection again, need not wait for the next try.
const wake = () => document.visibilityState === "visible" && client.wake();
document.addEventListener("visibilitychange", wake);
addEventListener("online", wake);

// A list that is looked at ends with the page, unless it is a job: say so before it is left.
addEventListener("beforeunload", (event) => client.busy && asking.fleeting && event.preventDefault());

