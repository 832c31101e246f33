// What every page needs. Each part works alone, and every page works without any.
import "./menus.js";
import "./keys.js";
import "./search-box.js";
import "./parts.js";
import "./combobox.js";
import "./confirm.js";
import "./preferences.js";
import "./prefetch.js";
import "./live.js";
import "./live-list.js";
