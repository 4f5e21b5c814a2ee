-- Puts xmpp-edge before a host of Prosody: what the host's users write to other domains goes over a link to the edge
-- (XEP-0114), and what partners write comes over it. Nothing of the host goes past the edge. For Prosody 0.12 and later:
--
--     VirtualHost "contoso.example"
--         modules_enabled = { "edge_link" }
--         edge_link = { host = "127.0.0.1", port = 23456, secret = "what stands in gateway.secret" }
--
-- With an `ssl` in it (cafile, certificate, key: as everywhere in Prosody) the link is mutual TLS. A component with rooms
-- takes the same lines, and is a local domain of its own in edge.toml.
local st = require "util.stanza";
local sha1 = require "util.hashes".sha1;
local new_stream = require "util.xmppstream".new;
local connect = require "net.connect".connect;
local resolver = require "net.resolvers.basic";
local create_context = require "core.certmanager".create_context;

local config = module:get_option("edge_link");
assert(type(config) == "table" and config.secret, "edge_link needs a table with host, port and secret");
local host, port = config.host or "127.0.0.1", config.port or 23456;
local pause = 5; -- seconds between two tries

local link; -- the session, once the edge has let us in
local unloaded = false;
local open;

local function again(why)
    link = nil;
    if not unloaded then
        module:log("warn", "no link to the edge at %s:%d: %s", host, port, why or "it was closed");
        module:add_timer(pause, open);
    end
end

-- What the edge says.
local callbacks = { default_ns = "jabber:component:accept" };

function callbacks.streamopened(session, attr)
    session.notopen = nil;
    local proof = sha1((attr.id or "") .. config.secret, true);
    session.conn:write(tostring(st.stanza("handshake"):text(proof)));
end

function callbacks.streamclosed(session)
    session.conn:close();
end

function callbacks.error(session, what, element)
    if what == "stream-error" then
        local condition = element:child_with_ns("urn:ietf:params:xml:ns:xmpp-streams");
        module:log("error", "the edge refuses the link: %s", condition and condition.name or tostring(element));
    else
        module:log("error", "the edge is not understood: %s", tostring(what));
    end
    session.conn:close();
end

function callbacks.handlestanza(session, stanza)
    if stanza.name == "handshake" and not link then
        link = session;
        module:log("info", "the link to the edge is up");
    elseif link == session and st.is_stanza(stanza) and stanza.attr.xmlns == nil then
        -- Whom it is from was proven to the edge; to whom it is, Prosody looks up.
        module:send(stanza);
    end
end

local listener = { default_port = port, default_mode = "*a" };

function listener.onconnect(conn)
    local session = { conn = conn, notopen = true };
    session.stream = new_stream(session, callbacks);
    listener.sessions[conn] = session;
    conn:write("<stream:stream xmlns='jabber:component:accept' to='" .. module.host
        .. "' xmlns:stream='http://etherx.jabber.org/streams'>");
end

listener.sessions = {};

function listener.onincoming(conn, data)
    local session = listener.sessions[conn];
    local ok, why = session.stream:feed(data);
    if not ok then
        callbacks.error(session, why or "not well-formed");
    end
end

function listener.ondisconnect(conn, why)
    local session = listener.sessions[conn];
    listener.sessions[conn] = nil;
    if session then
        again(why);
    end
end

-- No connection came about.
function listener.onfail(_, why)
    again(why);
end

function open()
    if unloaded then
        return;
    end
    local options = {};
    if config.ssl then
        local context, why = create_context(module.host, "client", { verify = { "peer" } }, config.ssl);
        if not context then
            return again(why);
        end
        options.sslctx = context;
    end
    connect(resolver.new(host, port, "tcp"), listener, options, {});
end

-- Before Prosody's own way to other servers, at -1: that is not asked at all.
module:hook("route/remote", function (event)
    local stanza = event.stanza;
    if link then
        local copy = st.clone(stanza);
        copy.attr.xmlns = nil;
        link.conn:write(tostring(copy));
    elseif stanza.attr.type ~= "error" and stanza.attr.type ~= "result" and stanza.name ~= "presence" then
        module:send(st.error_reply(stanza, "wait", "remote-server-timeout", "The edge of this server is away."));
    end
    return true;
end, 10);

function module.load()
    open();
end

function module.unload()
    unloaded = true;
    for conn in pairs(listener.sessions) do
        conn:write("</stream:stream>");
        conn:close();
    end
end
