-- Reads: what random members have, or `/livez` alone. Arguments as of stage.lua, with `wallet`, `tier`, `benefits` or `livez`
-- for the word.
require "stage"
name = "reads"

-- Requests are made before, so that both sides of the ratio cost wrk the same.
local texts = {}

function init(arguments)
    begin(arguments)
    if run == "livez" then
        texts[1] = wrk.format("GET", "/livez")
        parts = { '{"ok":true}', '{"ok":true}' }
    else
        for n, id in ipairs(members) do
            texts[n] = wrk.format("GET", "/v1/members/" .. id .. "/" .. run, headers)
        end
        parts = ({
            wallet = { '{"active":', '"as_of":"' },
            tier = { '{"code":', '"annual_spend":"' },
            benefits = { '{"code":', '"benefits":[' },
        })[run]
    end
end

function request()
    return texts[math.random(#texts)]
end

function response(status, _, body)
    count(status == 200 and body:find(parts[1], 1, true) == 1 and body:find(parts[2], 1, true), status, body)
end
