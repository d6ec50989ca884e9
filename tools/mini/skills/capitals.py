"""Capitals of the world, and countries that do not exist."""
import random

from .common import Turn, efforts, vary
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
the_United_Kingdom:London the_United_States:Washington Uruguay:Montevideo Uzbekistan:Tashkent Vanuatu:Port_Vila Venezuela:Caracas Vietnam:Hanoi Yemen:Sanaa
Zambia:Lusaka Zimbabwe:Harare"""
CAPITALS: dict[str, str] = dict(tuple(x.replace("_", " ") for x in row.split(":")) for row in _TABLE.split())
FAMOUS = """France Germany Italy Spain Portugal England Japan China India Brazil Canada Australia Russia Egypt Greece Poland Sweden Norway Denmark Finland Austria Switzerland
Belgium Ireland Turkey Mexico Argentina Ukraine Kenya""".split() + ["the Netherlands", "the United States", "the United Kingdom", "South Korea", "the Czech Republic", "New Zealand"]
NICKNAMES = {"England": "the United Kingdom", "the UK": "the United Kingdom", "Great Britain": "the United Kingdom", "the USA": "the United States", "the US": "the United States",
             "USA": "the United States", "UK": "the United Kingdom", "America": "the United States", "Holland": "the Netherlands", "Czechia": "the Czech Republic", "the UAE": "the United Arab Emirates"}
FAMOUS.remove("England")

ASK = ["What is the capital of {c}?"] * 5 + ["What's the capital of {c}?", "What is the capital city of {c}?", "Name the capital of {c}.", "Tell me the capital of {c}.",
       "capital of {c}", "Capital of {c}?", "{c} capital", "Can you tell me the capital of {c}?", "The capital of {c} is", "Which city is the capital of {c}?"]
UNREAL = ["Narnia", "Atlantis", "Wakanda", "Mordor", "Gondor", "Westeros", "Middle Earth", "Elbonia", "the Moon", "Mars", "Hogwarts", "Oz", "Utopia", "Genovia"]


def unknown(name: str) -> str:
    return f"I do not know a country called {name}."


def capitals(rng: random.Random) -> Turn:
    roll = rng.random()
    medium, high = "The user asks for a capital.", "The user asks for the capital of a country. This is a fact, nothing to compute."
    if roll < 0.06:
        name = rng.choice(UNREAL) if rng.random() < 0.4 else made_up(rng)
        question = rng.choice(ASK).format(c=name)
        return Turn("capitals", question, efforts(f"{name}: not a country I know.", medium, high), unknown(name), {"kind": "contains", "all": ["do not know"]}, key=f"capital? {question}",
                    closed=True, exam=False)
    country = rng.choice(FAMOUS) if rng.random() < 0.3 else rng.choice(list(CAPITALS))
    capital = CAPITALS[country]
    asked = country
    if rng.random() < 0.06:
        asked = rng.choice(list(NICKNAMES))
        country, capital = NICKNAMES[asked], CAPITALS[NICKNAMES[asked]]
    question = vary(rng, rng.choice(ASK).format(c=asked), lower=0.1)
    shown = country[0].upper() + country[1:]
    return Turn("capitals", question, efforts(f"{shown}: {capital}.", medium, high), f"The capital of {country} is {capital}.", {"kind": "contains", "all": [f"is {capital}."]},
                key=f"capital {question}", closed=True)
