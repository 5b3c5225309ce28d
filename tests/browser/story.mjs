// The whole story in a real browser, as two people: one asks and tunes, the other approves, both watch.
// Arguments: address, passwords as JSON, language, width, folder for pictures. Prints one JSON object a page.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [url, passwords, language, width, folder] = process.argv.slice(2);
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const people = JSON.parse(passwords);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
const troubles = [];

async function enter(who) {
  const context = await browser.newContext({ viewport: { width: Number(width), height: 900 }, locale: language });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  page.on("console", (message) => { if (message.type() === "error") troubles.push(message.text()); });
  page.on("pageerror", (error) => troubles.push(String(error)));
  await page.goto(`${url}/`);
  await page.fill("[name=principal]", who);
  await page.fill("[name=password]", people[who]);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#fleet");
  return page;
}

async function look(page, name) {
  await page.screenshot({ path: `${folder}/${name}-${language}-${width}.png`, fullPage: true });
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa"] }));
  console.log(JSON.stringify({
    name,
    heading: await page.locator("h1").first().innerText(),
    language: await page.evaluate(() => document.documentElement.lang),
    overflow: await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
    violations: found.violations.map((one) => [one.id, one.impact, one.nodes[0].html.slice(0, 160)]),
    // Sentences of the planner and of errors that are in no Chinese at all.
    english: await page.locator(".good li, .bad li, .note li, .problem, .wrong").evaluateAll((all) => all
      .map((one) => one.innerText).filter((text) => text && !/[\u4e00-\u9fff]/.test(text))),
    maps: await page.locator("svg.map").evaluateAll((all) => all.filter((one) => one.checkVisibility()).length),
    troubles: troubles.splice(0),
  }));
}

const requester = await enter("requester@lab.invalid");
await look(requester, "home");
await requester.goto(`${url}/tasks/new`);
await look(requester, "new");
const cards = requester.locator("[name='components[0].resources.accelerators']");
await cards.fill("3");
await requester.fill("[name='components[0].resources.nodes']", "2");
await requester.click("form.task button.primary");
await requester.waitForSelector("#wrong.problem");
troubles.splice(0, troubles.length, ...troubles.filter((one) => !one.includes("422")));
if (await cards.inputValue() !== "3") troubles.push("the form lost what was filled in");
await look(requester, "wrong");
await cards.fill("1");
await requester.fill("[name='components[0].resources.nodes']", "1");
await requester.click("form.task button.primary");
await requester.waitForSelector(".proposal");
await look(requester, "task");
await requester.click(".proposal a.button");
await requester.waitForSelector("form.tune");
const pool = requester.locator("select[name='train.pool']");
const others = (await pool.locator("option").allInnerTexts()).filter((one) => one !== "");
const before = await requester.locator("#deltas").innerText();
await pool.selectOption(others.find((one) => !before.includes(one)) ?? others[1]);
await requester.waitForFunction((old) => document.querySelector("#deltas").innerText !== old, before);
await look(requester, "tune");
await requester.click("form.tune button.primary");
await requester.waitForSelector(".proposal.chosen");
await requester.click(".proposal.chosen button.primary");
await requester.waitForSelector("code.digest");
const run = requester.url().split("/").at(-2);
await requester.waitForSelector("pre.diff", { timeout: 120000 });
await look(requester, "plan");
if (await requester.locator("form[action$='/approve']").count()) troubles.push("the requester is offered to approve");

const approver = await enter("approver@lab.invalid");
await approver.click(`.waiting a[href*='${run}']`);
await approver.waitForSelector("pre.diff");
await look(approver, "approve");
await approver.focus("form[action$='/approve'] button");
await approver.keyboard.press("Enter");
await approver.waitForURL(`${url}/runs/${run}`);
await look(approver, "run");
await approver.waitForSelector("h1 .state.s-succeeded", { timeout: 180000 });
await look(approver, "done");
await approver.goto(`${url}/runs/${run}/report`);
await look(approver, "report");
await approver.goto(`${url}/audit`);
troubles.length = 0;  // 403: an approver does not read the audit
await look(approver, "refused");

const operator = await enter("operator@lab.invalid");
for (const name of ["sites", "alarms", "organisations", "notices"]) {
  await operator.goto(`${url}/${name}`);
  await operator.waitForSelector("h1");
  await look(operator, name);
}
await browser.close();
