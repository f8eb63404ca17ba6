/** A job as commands: for a terminal, and for whoever reads over one's shoulder. */
import { keyOf } from "./key.js";

/** One word of a shell. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const curl = (rest) => `curl ${keyOf() === null ? "" : '-H "Authorization: Bearer $CENSUS_API_KEY" '}${rest}`;

/** Options that are not as they are without saying so. */
const USUAL = { depth: "header", batch_size: 32, fit: "stretch", filter: "bicubic", matte: "#ffffff", pixels: "none" };

/** Of a job as the service tells it: [name, value] for each option that was set. */
export function optionsOf({ options }) {
  return Object.entries(options ?? {}).filter(([name, value]) => value !== null && value !== false && value !== USUAL[name]);
}

const written = (name, value) => (Array.isArray(value) ? value.join(name === "size" ? "x" : ",") : String(value));

/** @returns {[string, string][]} what a command does, and the command */
export function commandsOf(job) {
  const at = `${location.origin}/api/v1`;
  const commands = [
    ["Its results, as they come", curl(`-N ${quoted(`${at}/jobs/${job.id}/results?follow=1`)}`)],
    ["Its results, out of Redis", `./scripts/redis-cli --raw XRANGE '{census:jobs}:results:${job.id}' - + | grep '^{'`],
    ["What is known of it", `./scripts/redis-cli HGETALL '{census:jobs}:job:${job.id}'`],
  ];
  if (isFile(job)) {
    const options = optionsOf(job).map(([name, value]) => [name, written(name, value)]);
    const body = JSON.stringify({ filepath: job.manifest, ...Object.fromEntries(optionsOf(job)) });
    const json = "-H 'Content-Type: application/json'";
    commands.push(
      ["The same once more, by Redis", ["./scripts/redis-cli XADD census:jobs '*'", "kind", job.kind, "filepath", quoted(job.manifest), ...options.flat().map(quoted)].join(" ")],
      ["The same once more, over HTTP", curl(`${quoted(`${at}/${job.kind}_async`)} ${json} -d ${quoted(body)}`)],
    );
  }
  return commands;
}

/** Whether the manifest is a file or a URL, which may be named again. */
export const isFile = ({ manifest }) => Boolean(manifest) && manifest !== "upload";

/** What to type to hand in a first job: [what by, the command]. */
export function firstCommands() {
  return [
    ["curl", curl(`${location.origin}/api/v1/images_info_async -H 'Content-Type: application/json' -d '{"filepath": "sample.tsv"}'`)],
    ["redis-cli", "./scripts/redis-cli XADD census:jobs '*' kind images_info filepath sample.tsv"],
  ];
}
