-- A user of the partner who writes to the reader's domain, and writes down what is answered. What he writes stands in a
-- file, which he takes away: `message`, or `ping`.
local st = require "util.stanza";
local bob, domain = "bob@fabrikam.example/phone", "contoso.example";

local function note(...)
    local file = assert(io.open("/root/trial/answers", "a"));
    file:write(table.concat({ ... }, " "), "\n");
    file:close();
    return true;
end

module:hook("message/full", function (event)
    return note(event.stanza.attr.type or "normal", event.stanza:get_child_text("body") or "");
end, 10);

module:hook("iq/full", function (event)
    return note("iq", event.stanza.attr.type, event.stanza.attr.id or "");
end, 10);

module:add_timer(1, function ()
    local wanted = io.open("/root/trial/write");
    if wanted then
        local kind = wanted:read("*l");
        wanted:close();
        os.remove("/root/trial/write");
        if kind == "ping" then
            module:send(st.iq({ from = bob, to = domain, type = "get", id = "one" }):tag("ping", { xmlns = "urn:xmpp:ping" }));
        else
            module:send(st.message({ from = bob, to = "anybody@" .. domain, type = "chat", id = "first" }, "hello"));
        end
    end
    return 1;
end);
