"""Capitals of the world, asked forwards and backwards, and countries that do not exist."""
import random

from .common import Turn, vary
from .words import made_up

_TABLE = """Afghanistan:Kabul Albania:Tirana Algeria:Algiers Andorra:Andorra_la_Vella Angola:Luanda Argentina:Buenos_Aires Armenia:Yerevan Australia:Canberra
Austria:Vienna Azerbaijan:Baku the_Bahamas:Nassau Bahrain:Manama Bangladesh:Dhaka Barbados:Bridgetown Belarus:Minsk Belgium:Brussels Belize:Belmopan Benin:Porto-Novo
Bhutan:Thimphu Bolivia:Sucre Bosnia_and_Herzegovina:Sarajevo Botswana:Gaborone Brazil:Brasilia Brunei:Bandar_Seri_Begawan Bulgaria:Sofia Burkina_Faso:Ouagadougou
Burundi:Gitega Cambodia:Phnom_Penh Cameroon:Yaounde Canada:Ottawa Cape_Verde:Praia Chad:N'Djamena Chile:Santiago China:Beijing Colombia:Bogota Comoros:Moroni
Costa_Rica:San_Jose Croatia:Zagreb Cuba:Havana Cyprus:Nicosia the_Czech_Republic:Prague Denmark:Copenhagen Djibouti:Djibouti Dominica:Roseau
the_Dominican_Republic:Santo_Domingo Ecuador:Quito Egypt:Cairo El_Salvador:San_Salvador Eritrea:Asmara Estonia:Tallinn Eswatini:Mbabane Ethiopia:Addis_Ababa Fiji:Suva
Finland:Helsinki France:Paris Gabon:Libreville the_Gambia:Banjul Georgia:Tbilisi Germany:Berlin Ghana:Accra Greece:Athens Grenada:Saint_George's
Guatemala:Guatemala_City Guinea:Conakry Guinea-Bissau:Bissau Guyana:Georgetown Haiti:Port-au-Prince Honduras:Tegucigalpa Hungary:Budapest Iceland:Reykjavik India:New_Delhi
Indonesia:Jakarta Iran:Tehran Iraq:Baghdad Ireland:Dublin Israel:Jerusalem Italy:Rome Jamaica:Kingston Japan:Tokyo Jordan:Amman Kazakhstan:Astana Kenya:Nairobi
Kiribati:Tarawa Kosovo:Pristina Kuwait:Kuwait_City Kyrgyzstan:Bishkek Laos:Vientiane Latvia:Riga Lebanon:Beirut Lesotho:Maseru Liberia:Monrovia Libya:Tripoli
Liechtenstein:Vaduz Lithuania:Vilnius Luxembourg:Luxembourg Madagascar:Antananarivo Malawi:Lilongwe Malaysia:Kuala_Lumpur the_Maldives:Male Mali:Bamako Malta:Valletta
Mauritania:Nouakchott Mauritius:Port_Louis Mexico:Mexico_City Moldova:Chisinau Monaco:Monaco Mongolia:Ulaanbaatar Montenegro:Podgorica Morocco:Rabat Mozambique:Maputo
Myanmar:Naypyidaw Namibia:Windhoek Nauru:Yaren Nepal:Kathmandu the_Netherlands:Amsterdam New_Zealand:Wellington Nicaragua:Managua Niger:Niamey Nigeria:Abuja
North_Korea:Pyongyang North_Macedonia:Skopje Norway:Oslo Oman:Muscat Pakistan:Islamabad Palau:Ngerulmud Panama:Panama_City Papua_New_Guinea:Port_Moresby
Paraguay:Asuncion Peru:Lima the_Philippines:Manila Poland:Warsaw Portugal:Lisbon Qatar:Doha Romania:Bucharest Russia:Moscow Rwanda:Kigali Samoa:Apia
San_Marino:San_Marino Saudi_Arabia:Riyadh Senegal:Dakar Serbia:Belgrade Seychelles:Victoria Sierra_Leone:Freetown Singapore:Singapore Slovakia:Bratislava
Slovenia:Ljubljana Somalia:Mogadishu South_Africa:Pretoria South_Korea:Seoul South_Sudan:Juba Spain:Madrid Sri_Lanka:Colombo Sudan:Khartoum Suriname:Paramaribo
Sweden:Stockholm Switzerland:Bern Syria:Damascus Taiwan:Taipei Tajikistan:Dushanbe Tanzania:Dodoma Thailand:Bangkok Togo:Lome Tonga:Nuku'alofa
Trinidad_and_Tobago:Port_of_Spain Tunisia:Tunis Turkey:Ankara Turkmenistan:Ashgabat Tuvalu:Funafuti Uganda:Kampala Ukraine:Kyiv the_United_Arab_Emirates:Abu_Dhabi
the_United_Kingdom:London the_United_States:Washington_D.C. Uruguay:Montevideo Uzbekistan:Tashkent Vanuatu:Port_Vila Venezuela:Caracas Vietnam:Hanoi Yemen:Sanaa
Zambia:Lusaka Zimbabwe:Harare"""
CAPITALS: dict[str, str] = dict(tuple(x.replace("_", " ") for x in row.split(":")) for row in _TABLE.split())
FAMOUS = """France Germany Italy Spain Portugal England Japan China India Brazil Canada Australia Russia Egypt Greece Poland Sweden Norway Denmark Finland Austria Switzerland
Belgium Ireland Turkey Mexico Argentina Ukraine Kenya""".split() + ["the Netherlands", "the United States", "the United Kingdom", "South Korea", "the Czech Republic", "New Zealand"]
NICKNAMES = {"England": "the United Kingdom", "the UK": "the United Kingdom", "Great Britain": "the United Kingdom", "the USA": "the United States", "the US": "the United States",
             "USA": "the United States", "UK": "the United Kingdom", "America": "the United States", "Holland": "the Netherlands", "Czechia": "the Czech Republic", "the UAE": "the United Arab Emirates"}
FAMOUS.remove("England")

ASK = ["What is the capital of {c}?"] * 5 + ["What's the capital of {c}?", "what is {c}'s capital?", "What is the capital city of {c}?", "Which city is the capital of {c}?", "Name the capital of {c}.",
       "Tell me the capital of {c}.", "capital of {c}", "Capital of {c}?", "{c} capital", "{c}'s capital?", "What city is the capital of {c}?", "Do you know the capital of {c}?",
       "Can you tell me the capital of {c}?", "The capital of {c} is?", "I need the capital of {c}.", "The capital of {c} is", "What is the name of the capital of {c}?",
       "Which is the capital of {c}?", "Please name the capital of {c}.", "Give me the capital of {c}.", "And the capital of {c}?", "What about the capital of {c}?", "whats the capital of {c}", "{c} capital city", "what's the capital city of {c}?", "Which city is {c}'s capital?", "What do you call the capital of {c}?", "Where is the capital of {c}?"]
BACK = ["Which country has the capital {k}?", "{k} is the capital of which country?", "What country is {k} the capital of?", "Of which country is {k} the capital?",
        "Which country has {k} as its capital?", "{k} is the capital of what?", "Which country's capital is {k}?", "What country has {k} as its capital?"]
UNREAL = ["Narnia", "Atlantis", "Wakanda", "Mordor", "Gondor", "Westeros", "Middle Earth", "Elbonia", "the Moon", "Mars", "Hogwarts", "Oz", "Utopia", "Genovia"]


def unknown(name: str) -> str:
    return f"I do not know a country called {name}."


def capitals(rng: random.Random) -> Turn:
    roll = rng.random()
    if roll < 0.08:
        name = rng.choice(UNREAL) if rng.random() < 0.4 else made_up(rng)
        answer = unknown(name)
        question = rng.choice(ASK[:15]).format(c=name)
        return Turn("capitals", question, ("Not a country I know.", f"The user asks for the capital of {name}. I do not know that country, so I say so.",
                    f"The user asks for the capital of {name}. I look for {name} among the countries I know. It is not one of them. I must not make up a city, so I say that I do not know it."),
                    answer, {"kind": "contains", "all": ["do not know"]}, key=f"capital? {question}", closed=True, exam=False)
    country = rng.choice(FAMOUS) if rng.random() < 0.35 else rng.choice(list(CAPITALS))
    capital = CAPITALS[country]
    if roll < 0.2 and capital not in country:
        bare = country.removeprefix("the ")
        question = vary(rng, rng.choice(BACK).format(k=capital))
        return Turn("capitals", question, (f"{capital}: {bare}.", f"The user asks which country has the capital {capital}. It is {country}.",
                    f"The user asks which country has the capital {capital}. This is a fact, nothing to compute. {capital} is the capital of {country}. I answer in one sentence."),
                    f"{capital} is the capital of {country}.", {"kind": "contains", "all": [f"of {country}."]}, key=f"capital {question}", closed=True)
    asked = country
    if rng.random() < 0.06:
        asked = rng.choice(list(NICKNAMES))
        country, capital = NICKNAMES[asked], CAPITALS[NICKNAMES[asked]]
    question = vary(rng, rng.choice(ASK).format(c=asked), lower=0.2)
    shown = country[0].upper() + country[1:]
    return Turn("capitals", question, (f"{shown}: {capital}.", f"The user asks for the capital of {country}. It is {capital}.",
                f"The user asks for the capital of {country}. This is a fact, nothing to compute. The capital of {country} is {capital}. I answer in one sentence."),
                f"The capital of {country} is {capital}.", {"kind": "contains", "all": [f"is {capital}."]}, key=f"capital {question}", closed=True)
