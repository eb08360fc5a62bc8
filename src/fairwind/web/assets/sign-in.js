// Signs in, then goes on to where the visitor was sent from, or shows what there is to read.
const form = document.getElementById("sign-in");
const there = document.getElementById("signed-in");
const trouble = document.getElementById("trouble");

const WORDS = {
  wrong_credentials: "账号或密码不对 · The login or the password is wrong",
  too_many_attempts: "尝试次数过多，请几分钟后再试 · Too many attempts; wait some minutes",
  busy: "服务器繁忙，请稍后再试 · The server is busy; try again",
};

function next() {
  // Only to this server: an address from elsewhere would make this page a step to a forged one.
  const wanted = new URLSearchParams(location.search).get("next");
  const url = wanted && new URL(wanted, location.origin);
  return url && url.origin === location.origin ? url.pathname + url.search : null;
}

function link(nav, href, chinese, english) {
  const a = document.createElement("a");
  a.href = href;
  a.append(Object.assign(document.createElement("b"), { textContent: chinese }));
  a.append(Object.assign(document.createElement("small"), { textContent: english, lang: "en" }));
  nav.append(a);
}

function show(person) {
  const nav = there.querySelector("nav");
  nav.replaceChildren();
  there.querySelector("p").textContent = `${person.name} (${person.login})`;
  for (const shop of person.shop_ids) {
    link(nav, `/shops/${shop}/statement.html`, `店铺 ${shop} 结算单`, `Statement of shop ${shop}`);
  }
  for (const [role, chinese] of [["creator", "达人结算单"], ["agency", "机构结算单"]]) {
    if (person.roles.includes(role)) {
      link(nav, `/payees/${role}/${person.id}/statement.html`, chinese, `Statement as ${role}`);
    }
  }
  if (person.roles.includes("operator")) {
    link(nav, "/platform/statement.html", "平台结算单", "Statement of the platform");
  }
  link(nav, "/docs", "接口文档", "The API, as you");
  document.querySelector("h1").textContent = "Fairwind 乘风";
  form.hidden = true;
  there.hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  trouble.hidden = true;
  const draft = Object.fromEntries(new FormData(form));
  let answer = null;
  try {
    answer = await fetch("/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(draft),
    });
  } catch {
    // No answer at all: told below.
  }
  if (answer?.ok) {
    const on = next();
    return on ? location.assign(on) : show(await answer.json());
  }
  const problem = answer ? await answer.json().catch(() => ({})) : {};
  trouble.textContent = WORDS[problem.code] ?? problem.detail ?? "服务器没有回应 · The server does not answer";
  trouble.hidden = false;
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await fetch("/sessions/current", { method: "DELETE" });
  location.assign("/sign-in");
});

if (!next()) {
  fetch("/people/me").then(async (answer) => answer.ok && show(await answer.json()));
}
