-- A user of the partner who writes to the reader's domain, and writes down what is answered.
local st = require "util.stanza";
local bob, anybody = "bob@fabrikam.example", "anybody@contoso.example";

module:hook("message/bare", function (event)
    if event.stanza.attr.to ~= bob then
        return;
    end
    local file = assert(io.open("/root/trial/answers", "a"));
    file:write(event.stanza.attr.type or "normal", " ", event.stanza:get_child_text("body") or "", "\n");
    file:close();
    return true;
end, 10);

-- He begins once there is the file that says so.
module:add_timer(1, function ()
    local wanted = io.open("/root/trial/write");
    if wanted then
        wanted:close();
        os.remove("/root/trial/write");
        module:send(st.message({ from = bob, to = anybody, type = "chat", id = "first" }, "hello"));
    end
    return 1;
end);
